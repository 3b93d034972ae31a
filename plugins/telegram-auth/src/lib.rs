//! Authenticator: Telegram Mini App initData
