//! Claims that a key has signed, and whether they are for us and for now.

use serde_json::{Map, Number, Value};

use crate::problem::Problem;

/// Signed. Only [`Token::verify`](crate::Token::verify) makes one.
#[derive(Debug)]
pub struct Claims(Value);

/// What a token must say.
#[derive(Debug)]
pub struct Demands {
    /// The algorithms that pass.
    pub algorithms: Vec<crate::Algorithm>,
    /// The only `typ`.
    pub r#type: Option<String>,
    /// The issuers that pass; empty: all.
    pub issuers: Vec<String>,
    /// Whom a token may be for. Empty: only tokens that do not say.
    pub audiences: Vec<String>,
    /// Claims that must be there, by name or JSON pointer.
    pub require: Vec<String>,
    /// How far the clocks may be apart, in seconds.
    pub clock_skew: u64,
    /// How old `iat` may be, in seconds.
    pub max_age: Option<u64>,
}

// === impl Claims ===

impl Claims {
    pub(crate) fn signed(claims: Map<String, Value>) -> Claims {
        Claims(Value::Object(claims))
    }

    /// A claim by its name, or by a JSON pointer (RFC 6901) when `place` begins with a slash.
    pub fn get(&self, place: &str) -> Option<&Value> {
        if place.starts_with('/') {
            self.0.pointer(place)
        } else {
            self.0.get(place)
        }
    }

    /// Whether the claims are what is demanded, at `now` (seconds since 1970).
    pub fn check(&self, demands: &Demands, now: u64) -> Result<(), Problem> {
        self.check_time(demands, now)?;
        if !demands.issuers.is_empty() {
            let issuer = self.get("iss").ok_or(Problem::Without("iss"))?;
            let known = |text: &str| demands.issuers.iter().any(|issuer| issuer == text);
            if !issuer.as_str().is_some_and(known) {
                return Err(Problem::Issuer);
            }
        }
        self.check_audience(demands)?;
        if demands
            .require
            .iter()
            .any(|place| self.get(place).is_none())
        {
            return Err(Problem::Required);
        }
        Ok(())
    }

    /// A token without an end is refused: nobody could take it back.
    fn check_time(&self, demands: &Demands, now: u64) -> Result<(), Problem> {
        let skew = demands.clock_skew;
        let end = self
            .seconds("exp", f64::floor)?
            .ok_or(Problem::Without("exp"))?;
        if now >= end.saturating_add(skew) {
            return Err(Problem::Expired(now - end));
        }
        let begin = self.seconds("nbf", f64::ceil)?.unwrap_or(0);
        if now.saturating_add(skew) < begin {
            return Err(Problem::Early(begin - now));
        }
        let issued = self.seconds("iat", f64::floor)?;
        if let Some(issued) = issued.filter(|issued| now.saturating_add(skew) < *issued) {
            return Err(Problem::Future(issued - now));
        }
        if let Some(max_age) = demands.max_age {
            let age = now.saturating_sub(issued.ok_or(Problem::Without("iat"))?);
            if age > max_age.saturating_add(skew) {
                return Err(Problem::Old(age));
            }
        }
        Ok(())
    }

    /// RFC 7519 section 4.1.3: who is not named must refuse. So does who has no name.
    fn check_audience(&self, demands: &Demands) -> Result<(), Problem> {
        let ours = |value: &Value| {
            let text = value.as_str();
            text.is_some_and(|text| demands.audiences.iter().any(|audience| audience == text))
        };
        match self.get("aud") {
            None if demands.audiences.is_empty() => Ok(()),
            None => Err(Problem::Without("aud")),
            Some(Value::Array(list)) if list.iter().any(ours) => Ok(()),
            Some(value) if ours(value) => Ok(()),
            Some(_) => Err(Problem::Audience),
        }
    }

    /// A NumericDate: seconds since 1970, maybe with a fraction.
    fn seconds(&self, claim: &'static str, round: fn(f64) -> f64) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(claim) else {
            return Ok(None);
        };
        let whole = value.as_u64();
        let fraction = || {
            let number = value.as_number().and_then(Number::as_f64).map(round)?;
            // Beyond 2^53 a double is no exact second any more, and no honest date either.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "in range"
            )]
            (0.0..9_007_199_254_740_992.0)
                .contains(&number)
                .then_some(number as u64)
        };
        whole
            .or_else(fraction)
            .map(Some)
            .ok_or(Problem::Claim(claim))
    }
}
