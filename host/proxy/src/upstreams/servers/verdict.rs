//! What a try said of its server: told once per try, by whoever made it.

use http::StatusCode;

/// What came of a try, as far as the server is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A response head came.
    Answered(StatusCode),
    /// No connection.
    Connect,
    /// No response in time.
    Timeout,
    /// The connection ended before the response.
    Closed,
    /// What came is not HTTP.
    Broken,
}

impl Verdict {
    /// The labels of `portcullis_upstream_tries_total`.
    pub const NAMES: [&str; 5] = ["ok", "connect", "timeout", "closed", "broken"];

    /// Of its name.
    pub fn index(self) -> usize {
        match self {
            Verdict::Answered(_) => 0,
            Verdict::Connect => 1,
            Verdict::Timeout => 2,
            Verdict::Closed => 3,
            Verdict::Broken => 4,
        }
    }

    /// What the server is blamed for.
    pub fn is_failure(self) -> bool {
        match self {
            Verdict::Answered(status) => status.is_server_error(),
            _ => true,
        }
    }
}
