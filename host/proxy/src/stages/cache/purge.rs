//! Purging by hand: of one URL, of all below a prefix, of all that carry a tag.

use super::disk::hash;
use super::key::Key;
use super::{Cache, Place};
use portcullis_exchange::Target;

/// What is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    Url(Site, String),
    Prefix(Site, String),
    Tag(String),
    Everything,
}

/// Whose URLs: of one host, or of any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site(Option<String>);

/// Why nothing can be purged by a text, or not all that should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeError(pub(super) String);

impl std::fmt::Display for PurgeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PurgeError {}

impl Purge {
    /// `http://host/path?query` as clients ask for it, or `/path?query` of every host.
    pub fn url(text: &str) -> Result<Purge, PurgeError> {
        let (site, target) = parse(text)?;
        Ok(Purge::Url(site, target))
    }

    /// The same for all URLs that begin so.
    pub fn prefix(text: &str) -> Result<Purge, PurgeError> {
        let (site, target) = parse(text)?;
        Ok(Purge::Prefix(site, target))
    }

    pub(super) fn covers(&self, place: &Place, tags: &[Box<str>]) -> bool {
        match self {
            Purge::Url(site, target) => site.has(place) && *place.target == **target,
            Purge::Prefix(site, target) => site.has(place) && place.target.starts_with(target),
            Purge::Tag(tag) => tags.iter().any(|known| **known == **tag),
            Purge::Everything => true,
        }
    }
}

/// Without queries: they may hold a credential.
impl std::fmt::Display for Purge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
        let any = |site: &Site| site.0.clone().unwrap_or_else(|| "*".to_owned());
        match self {
            Purge::Url(site, target) => write!(f, "url {}{}", any(site), path(target)),
            Purge::Prefix(site, target) => write!(f, "prefix {}{}", any(site), path(target)),
            Purge::Tag(tag) => write!(f, "tag {tag}"),
            Purge::Everything => f.write_str("everything"),
        }
    }
}

impl Site {
    fn has(&self, place: &Place) -> bool {
        self.0.as_deref().is_none_or(|host| *host == *place.host)
    }
}

fn parse(text: &str) -> Result<(Site, String), PurgeError> {
    let rest = text
        .strip_prefix("http://")
        .or(text.strip_prefix("https://"));
    let (site, target) = match rest {
        Some(rest) => {
            let slash = rest.find('/').unwrap_or(rest.len());
            let (host, target) = rest.split_at(slash);
            (Site(Some(host.to_ascii_lowercase())), target)
        }
        None => (Site(None), text),
    };
    let target = if target.is_empty() { "/" } else { target };
    // In the spelling that places have.
    let target = Target::parse(target).map_err(|error| {
        PurgeError(format!(
            "`{text}` is neither http://host/path nor /path: {error}"
        ))
    })?;
    Ok((site, target.to_canonical()))
}

impl Cache {
    /// Forgets what `purge` covers, in memory and on the disk, and what is on its way to the store at this moment, as
    /// it may be of before. Looks through the whole store and waits for the disk: not for a request's thread. How many
    /// URLs were there.
    pub fn purge(&self, purge: &Purge) -> Result<usize, PurgeError> {
        self.marks.sweep();
        let on_disk = self.disk.purge(purge);
        // What was read from the disk meanwhile is of before.
        self.marks.sweep();
        let mut keys = Vec::new();
        for (key, variants) in self.store.iter() {
            let covers = |head: &super::stored::Head| purge.covers(&head.place, &head.tags);
            if variants.all.iter().any(|stored| covers(&stored.head)) {
                self.store.invalidate(&**key);
                keys.push(key);
            }
        }
        let mut gone = on_disk?;
        let hashes = keys.iter().map(|key| hash(&Key::saved(key)));
        gone.keys.extend(hashes);
        match gone.stuck {
            None => Ok(gone.keys.len()),
            Some(error) => Err(PurgeError(format!(
                "gone until a restart only: a file of the disk tier cannot be taken away: {error}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_of_one_host_or_of_every_one() {
        let cases = [
            ("http://A.test:80/x/../y?q", Some("a.test:80"), "/y?q"),
            ("https://a.test", Some("a.test"), "/"),
            ("/news", None, "/news"),
            ("/%40me?q=%40", None, "/@me?q=%40"),
            ("", None, "/"),
        ];
        for (text, host, target) in cases {
            let wanted = (Site(host.map(str::to_owned)), target.to_owned());
            assert_eq!(parse(text), Ok(wanted), "{text}");
        }
        for text in ["news", "ftp://a/b", "/a b", "/../x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
