//! The ids of an exchange in a trace, and those of its steps, which follow from it.

/// The ids of an exchange in a trace (W3C Trace Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    pub trace: u128,
    /// The span of the exchange as a whole; those of its steps follow from it.
    pub span: u64,
    /// Whether the trace is sampled from the beginning.
    pub sampled: bool,
}

// === impl Ids ===

impl Ids {
    /// The span of a step: never zero, never that of the exchange, and different for each.
    pub fn step(self, at: usize) -> u64 {
        // An odd factor keeps different steps different; so does adding.
        let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match self.span.wrapping_add(mixed) {
            0 => self.span.wrapping_add(1),
            id => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MOST;
    use super::*;

    #[test]
    fn the_spans_of_steps_are_never_zero_nor_the_exchange_s_own() {
        let after = |at: u64| 0_u64.wrapping_sub((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // The last two make the sum for some step zero.
        for span in [1, u64::MAX, after(0), after(7)] {
            let ids = Ids {
                trace: 1,
                span,
                sampled: true,
            };
            let mut all: Vec<u64> = (0..MOST).map(|at| ids.step(at)).collect();
            assert!(all.iter().all(|id| *id != 0 && *id != span), "{span}");
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), MOST, "{span}");
        }
    }
}
