//! What a limit did with an exchange.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    Refused,
    Delayed,
    /// By a limit that only watches.
    WouldRefuse,
    /// The store did not say.
    Unanswered,
}

impl Outcome {
    pub const ALL: [Outcome; 5] = [
        Outcome::Allowed,
        Outcome::Refused,
        Outcome::Delayed,
        Outcome::WouldRefuse,
        Outcome::Unanswered,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Refused => "refused",
            Outcome::Delayed => "delayed",
            Outcome::WouldRefuse => "would_refuse",
            Outcome::Unanswered => "unanswered",
        }
    }
}
