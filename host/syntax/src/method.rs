//! Methods: one spelling, and those that no server is asked for.
//!
//! Methods are case-sensitive (RFC 9110 section 9.1), and those that are registered are in upper case. Many servers
//! ignore case all the same, so `delete` would go round what is said of `DELETE`.

/// Why a method is refused. Display is fit for a client: it does not repeat what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    #[error("the method is not in upper case: many servers would read it as the one that is")]
    Case,
    #[error("the method is never served: the gateway is no tunnel and echoes no requests")]
    Never,
}

/// What tunnels, echoes or debugs, and the method of the HTTP/2 preface. `TRACK` and `DEBUG` are those of IIS.
const NEVER: [&str; 5] = ["CONNECT", "DEBUG", "PRI", "TRACE", "TRACK"];

/// Judges a method as it was sent. It is a token; the reader of heads has seen to that.
pub fn check(method: &str) -> Result<(), MethodError> {
    if NEVER.iter().any(|never| never.eq_ignore_ascii_case(method)) {
        return Err(MethodError::Never);
    }
    if method.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err(MethodError::Case);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_in_upper_case_and_one_that_is_served() {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "M-SEARCH",
            "PURGE", "X1_~", "TRACES",
        ] {
            assert_eq!(check(method), Ok(()), "{method}");
        }
        for method in [
            "delete", "Delete", "DeLETE", "post", "Post", "get", "gET", "propfind", "purge",
            "pATCH",
        ] {
            assert_eq!(check(method), Err(MethodError::Case), "{method}");
        }
        for method in [
            "TRACE", "trace", "Trace", "CONNECT", "connect", "TRACK", "track", "DEBUG", "Debug",
            "PRI", "pri",
        ] {
            assert_eq!(check(method), Err(MethodError::Never), "{method}");
        }
    }
}
