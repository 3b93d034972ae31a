//! docs/cache.md shows what the gateway takes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use portcullis_config::{Audience, parse};

#[test]
fn the_examples_of_the_page_are_read() {
    let page = include_str!("../../../docs/cache.md");
    let blocks = page.split("```toml\n").skip(1);
    let plans: Vec<_> = blocks
        .map(|block| {
            let text = block.split("```").next().unwrap();
            let plan = parse("docs/cache.md", text, Path::new(""), &|_| None);
            plan.unwrap_or_else(|report| panic!("{report}"))
        })
        .collect();
    let audiences: Vec<_> = plans
        .iter()
        .flat_map(|plan| &plan.routes)
        .map(|route| route.cache.unwrap().audience)
        .collect();
    use Audience::{Caller, Callers, Everyone};
    assert_eq!(audiences, [Everyone, Everyone, Caller, Callers, Everyone]);
    assert_eq!(plans[0].cache.memory, 256 << 20);
    assert_eq!(plans[0].cache.max_object, 4 << 20);
    assert_eq!(plans[0].cache.disk, None);
    let disk = plans[2].cache.disk.as_ref().unwrap();
    let wanted = (Path::new("cache.d"), 10 << 30);
    assert_eq!((&*disk.folder, disk.size), wanted);
}
