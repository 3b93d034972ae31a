//! What the pages say of the tree: every path and test that they name is there, every relative link leads to a page and a
//! heading of it, and the chart of a request counts its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How a path of the tree begins.
const FOLDERS: [&str; 8] = [
    "deploy/", "docs/", "host/", "plugins/", "sdk/", "tests/", "wit/", "xtask/",
];

/// The text of each Markdown file, by its path below the root.
type Pages = BTreeMap<PathBuf, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Pages {
    let mut pages = Pages::new();
    let mut folders: Vec<PathBuf> = ["", "docs", "host", "plugins", "sdk"]
        .map(PathBuf::from)
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() && folder != Path::new("") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.insert(path, fs::read_to_string(entry.path()).expect("UTF-8"));
            }
        }
    }
    assert!(pages.len() > 50, "{} pages", pages.len());
    pages
}

/// Whether the paths of a page begin at the root. Those of a plugin's page may begin at its own folder.
fn is_about_the_tree(page: &Path) -> bool {
    let is_readme =
        page.ends_with("README.md") && !page.starts_with("plugins") && !page.starts_with("sdk");
    is_readme || page.starts_with("docs") || page == Path::new("CONTRIBUTING.md")
}

/// Lines by number, without blocks of code.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Whether a path is there. A `*` stands for anything within one name.
fn exists(folder: &Path, path: &str) -> bool {
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let Some((begin, end)) = name.split_once('*') else {
        let found = folder.join(name);
        return found.exists() && (rest.is_empty() || exists(&found, rest));
    };
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let fits = name
            .strip_prefix(begin)
            .is_some_and(|after| after.ends_with(end));
        fits && (rest.is_empty() || exists(&entry.path(), rest))
    })
}

/// Where a link of a page leads.
fn target(page: &Path, link: &str) -> PathBuf {
    let mut path = if link.is_empty() {
        page.to_owned()
    } else {
        page.parent().expect("a folder").to_owned()
    };
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

/// Whether a page has a heading that a link names so.
fn has_heading(text: &str, anchor: &str) -> bool {
    let mut headings = lines(text).filter_map(|(_, line)| line.strip_prefix('#'));
    headings.any(|heading| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        heading
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
            == anchor
    })
}

#[test]
fn every_path_that_a_page_names_is_there() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (page, text) in pages().iter().filter(|(page, _)| is_about_the_tree(page)) {
        for (number, line) in lines(text) {
            let code = line.split('`').skip(1).step_by(2);
            for path in code.filter(|code| FOLDERS.iter().any(|folder| code.starts_with(folder))) {
                seen += 1;
                // `host/src/run.rs:12` too, and a path with words after it.
                let path = path.split([':', ' ']).next().unwrap_or_default();
                if !exists(&root(), path) {
                    wrong.push(format!("{}:{number}: {path}", page.display()));
                }
            }
        }
    }
    assert!(seen > 200, "{seen} paths");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_relative_link_leads_to_a_page_and_a_heading() {
    let (pages, mut wrong) = (pages(), Vec::new());
    for (page, text) in &pages {
        for (number, line) in lines(text) {
            let links = line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split_once(')'));
            for (link, _) in links.filter(|(link, _)| !link.contains("://")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = target(page, path);
                let headed = |text: &String| has_heading(text, anchor);
                if !root().join(&target).exists()
                    || !(anchor.is_empty() || pages.get(&target).is_some_and(headed))
                {
                    wrong.push(format!("{}:{number}: {link}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_test_that_the_specification_names_is_in_its_file() {
    let text = fs::read_to_string(root().join("docs/specification.md")).expect("the page");
    let parts: Vec<&str> = text.split('`').collect();
    // `tests/tests/gate/routing.rs`: `the_most_specific_route_serves`
    let named = parts
        .windows(3)
        .filter(|part| part[0].ends_with(".rs") && part[1] == ": ");
    let (mut seen, mut wrong) = (0, Vec::new());
    for part in named {
        let (file, test) = (part[0], part[2]);
        let code = fs::read_to_string(root().join(file)).unwrap_or_default();
        seen += 1;
        if !code.contains(&format!("fn {test}(")) {
            wrong.push(format!("{file}: {test}"));
        }
    }
    assert!(seen > 50, "{seen} tests");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_chart_of_a_request_says_how_many_files_it_names() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("the page");
    let (_, chart) = text
        .split_once("\n## A request's life\n")
        .expect("the chart");
    let chart = chart.split("\n## ").next().unwrap_or_default();
    let rows = chart.lines().filter(|line| line.starts_with('|'));
    let code = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let files: BTreeSet<&str> = code.filter(|code| code.ends_with(".rs")).collect();
    let said = format!("**{} files**", files.len());
    assert!(chart.contains(&said), "it names {}", files.len());
}
