//! The attribute macro of portcullis-sdk
