//! Checks initData of Telegram Mini Apps, as the plugin `telegram-auth` does in the bench: 401, or the request goes on
//! with the user's id in a header.

mod verify;

use std::time::UNIX_EPOCH;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use verify::Bot;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root(None)));
}}

/// One in each worker, for all its requests.
struct Root(Option<Bot>);

/// One for each request.
struct Exchange(Option<Bot>);

impl Context for Root {}

impl RootContext for Root {
    /// The configuration is the token of the bot.
    fn on_configure(&mut self, _: usize) -> bool {
        let token = self.get_plugin_configuration();
        self.0 = token.map(|token| Bot::of(&token));
        self.0.is_some()
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange(self.0.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.user() {
            Some(id) => {
                self.set_http_request_header("x-user-id", Some(&id.to_string()));
                Action::Continue
            }
            None => {
                self.send_http_response(401, vec![("www-authenticate", "tma")], None);
                Action::Pause
            }
        }
    }
}

impl Exchange {
    /// Who asks, where that is certain.
    fn user(&self) -> Option<u64> {
        let header = self.get_http_request_header("authorization")?;
        let (scheme, init_data) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("tma") {
            return None;
        }
        let now = self.get_current_time().duration_since(UNIX_EPOCH).ok()?;
        self.0.as_ref()?.user(init_data.trim(), now.as_secs())
    }
}
