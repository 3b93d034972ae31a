//! The floors inside the crates of the host: which folder may import from which, that no files import each other in a
//! large circle, and that no function is long. Reads `use crate::…`, `use super::…` and paths in code, and counts braces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate with floors, and its folders from the lowest to the highest: a folder imports only from those before it.
const FLOORS: &[(&str, &[&str])] = &[
    (
        "host/proxy",
        &[
            "ground",
            "wire",
            "observe",
            "upstreams",
            "stages",
            "pipeline",
            "serve",
        ],
    ),
    (
        "host/runtime",
        &["ground", "guest", "call", "serve", "life"],
    ),
];

/// Files of one crate that import each other in a circle, at most.
const LARGEST_CIRCLE: usize = 6;

/// Lines of a function, at most, from `fn` to the brace that closes it.
const LONGEST_FUNCTION: usize = 60;

/// Functions that may be longer, as a file and a name, each with its reason in a comment.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// The crates of the host.
const HOST: [&str; 10] = [
    "host",
    "host/admin",
    "host/author",
    "host/config",
    "host/crypto",
    "host/exchange",
    "host/proxy",
    "host/runtime",
    "host/syntax",
    "host/terminal",
];

/// A source file: its module path, and the text that counts.
struct File {
    path: PathBuf,
    module: Vec<String>,
    code: String,
}

/// An import, as the path that it names from the crate's root, and the line it stands in.
struct Import {
    module: Vec<String>,
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(krate: &str) -> Vec<File> {
    let src = root().join(krate).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    let is_test = |path: &PathBuf| {
        let below = path.strip_prefix(&src).expect("below src");
        below.with_extension("").iter().any(|part| part == "tests")
    };
    let file = |path: PathBuf| {
        let below = path
            .strip_prefix(&src)
            .expect("below src")
            .with_extension("");
        let module: Vec<String> = below
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .filter(|part| part != "lib" && part != "main" && part != "mod")
            .collect();
        let text = fs::read_to_string(&path).expect("UTF-8");
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        File {
            module,
            code: without_comments(code),
            path,
        }
    };
    found
        .into_iter()
        .filter(|path| !is_test(path))
        .map(file)
        .collect()
}

/// Comments name things that are not imported. Lines stay where they are.
fn without_comments(code: &str) -> String {
    let line = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    code.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `crate` or `super`, its braces opened out.
fn imports(file: &File) -> Vec<Import> {
    let mut imports = Vec::new();
    for (at, begin) in file
        .code
        .match_indices("crate::")
        .chain(file.code.match_indices("super::"))
    {
        let before = file.code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &file.code[at + begin.len()..];
        let mut base = Vec::new();
        let mut rest = rest;
        if begin == "super::" {
            base.clone_from(&file.module);
            base.pop();
            while let Some(more) = rest.strip_prefix("super::") {
                base.pop();
                rest = more;
            }
        }
        let line = file.code[..at].matches('\n').count() + 1;
        for path in opened(rest) {
            let module = base.iter().cloned().chain(path).collect();
            imports.push(Import { module, line });
        }
    }
    imports
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
fn opened(text: &str) -> Vec<Vec<String>> {
    let word = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    let (word, rest) = text.split_at(word.unwrap_or(text.len()));
    if let Some(inner) = rest.strip_prefix("::{") {
        let with = |mut path: Vec<String>| {
            path.insert(0, word.to_owned());
            path
        };
        return items(inner)
            .into_iter()
            .flat_map(opened)
            .map(with)
            .collect();
    }
    if let Some(inner) = text.strip_prefix('{') {
        return items(inner).into_iter().flat_map(opened).collect();
    }
    let Some(rest) = rest.strip_prefix("::").filter(|_| !word.is_empty()) else {
        return vec![vec![word.to_owned()]];
    };
    let with = |mut path: Vec<String>| {
        path.insert(0, word.to_owned());
        path
    };
    opened(rest).into_iter().map(with).collect()
}

/// The items of a list in braces, up to the brace that closes it.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(list[from..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    items.into_iter().filter(|item| !item.is_empty()).collect()
}

/// The file that an import leads to: that of the longest part of its path which is a file.
fn target<'a>(files: &'a [File], import: &Import) -> Option<&'a File> {
    (1..=import.module.len()).rev().find_map(|length| {
        let module = &import.module[..length];
        files.iter().find(|file| file.module == module)
    })
}

#[test]
fn folders_import_only_from_those_below() {
    for (krate, floors) in FLOORS {
        let files = files(krate);
        let floor = |file: &File| {
            let folder = file.module.first()?;
            floors.iter().position(|floor| floor == folder)
        };
        // Files that are in no folder of the list stand on the ground, but for the crate's own face.
        let level = |file: &File| floor(file).unwrap_or(0);
        let mut seen = BTreeSet::new();
        for file in files.iter().filter(|file| !file.module.is_empty()) {
            seen.insert(level(file));
            for import in imports(file) {
                let to = target(&files, &import).unwrap_or_else(|| {
                    panic!(
                        "{}:{} imports `{}` through the face of the crate; name its module",
                        file.path.display(),
                        import.line,
                        import.module.join("::"),
                    )
                });
                assert!(
                    level(to) <= level(file),
                    "{}:{} imports `{}`: {} is above {}",
                    file.path.display(),
                    import.line,
                    import.module.join("::"),
                    floors[level(to)],
                    floors[level(file)],
                );
            }
        }
        assert_eq!(seen.len(), floors.len(), "{krate} has all of its floors");
    }
}

#[test]
fn no_files_import_each_other_in_a_large_circle() {
    let crates = [
        "host/proxy",
        "host/runtime",
        "host/exchange",
        "host/admin",
        "host/author",
        "host",
    ];
    for krate in crates {
        let files = files(krate);
        let index: BTreeMap<&[String], usize> = files
            .iter()
            .enumerate()
            .map(|(at, file)| (file.module.as_slice(), at))
            .collect();
        let arrows: Vec<BTreeSet<usize>> = files
            .iter()
            .map(|file| arrows(file, &files, &index))
            .collect();
        for circle in circles(&arrows) {
            let names: Vec<String> = circle
                .iter()
                .map(|at| files[*at].module.join("::"))
                .collect();
            assert!(
                circle.len() <= LARGEST_CIRCLE,
                "{krate}: {} files import each other: {}",
                names.len(),
                names.join(", ")
            );
            let folders: BTreeSet<&str> = circle
                .iter()
                .map(|at| files[*at].module.first().map_or("", String::as_str))
                .collect();
            assert!(
                folders.len() == 1 || FLOORS.iter().all(|(with, _)| *with != krate),
                "{krate}: a circle across folders: {}",
                names.join(", ")
            );
        }
    }
}

/// Where a file's imports lead; a file and the folder that it is the face of count as one room.
fn arrows(file: &File, files: &[File], index: &BTreeMap<&[String], usize>) -> BTreeSet<usize> {
    let to = |import: Import| {
        let to = target(files, &import)?;
        let kin = to.module.starts_with(&file.module) || file.module.starts_with(&to.module);
        (!kin).then(|| index[to.module.as_slice()])
    };
    imports(file).into_iter().filter_map(to).collect()
}

/// The groups of files of which each reaches each other.
fn circles(arrows: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let reach = |from: usize| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            for to in &arrows[at] {
                if seen.insert(*to) {
                    next.push(*to);
                }
            }
        }
        seen
    };
    let reached: Vec<BTreeSet<usize>> = (0..arrows.len()).map(reach).collect();
    let mut circles: Vec<Vec<usize>> = Vec::new();
    for at in 0..arrows.len() {
        let circle: Vec<usize> = reached[at]
            .iter()
            .copied()
            .filter(|to| *to == at || reached[*to].contains(&at))
            .filter(|to| reached[at].contains(to))
            .collect();
        let is_new = !circles.iter().any(|known| known.contains(&at));
        if circle.len() > 1 && is_new {
            circles.push(circle);
        }
    }
    circles
}

#[test]
fn no_function_is_longer_than_sixty_lines() {
    let (mut seen, mut wrong, mut needed) = (0, Vec::new(), BTreeSet::new());
    for file in HOST.into_iter().flat_map(files) {
        let path = file.path.strip_prefix(root()).expect("below the root");
        let path = path.to_string_lossy();
        let text = fs::read_to_string(&file.path).expect("UTF-8");
        let code = text.split("#[cfg(test)]\nmod tests").next();
        for (name, lines) in functions(&bare(code.unwrap_or_default())) {
            seen += 1;
            if lines <= LONGEST_FUNCTION {
                continue;
            }
            let known = LONG_FUNCTIONS
                .iter()
                .find(|(file, long)| *file == path && *long == name);
            match known {
                Some(known) => drop(needed.insert(known)),
                None => wrong.push(format!("{path}: {name} has {lines} lines")),
            }
        }
    }
    assert!(seen > 2000, "{seen} functions");
    assert!(wrong.is_empty(), "{wrong:#?}");
    for exception in LONG_FUNCTIONS {
        assert!(needed.contains(exception), "{exception:?} is not needed");
    }
}

/// The functions of a file with bodies, and their lines.
fn functions(bare: &str) -> Vec<(&str, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let function = |(at, _): (usize, &str)| {
        if bare[..at].ends_with(is_word) {
            return None;
        }
        let rest = &bare[at + "fn ".len()..];
        let name = &rest[..rest.find(|c| !is_word(c))?];
        let mut depth = 0;
        let mut begun = false;
        for (end, c) in rest.char_indices() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                ';' if depth == 0 => return None,
                _ => {}
            }
            begun |= c == '{' && depth == 1;
            if begun && depth == 0 {
                return Some((name, rest[..end].matches('\n').count() + 1));
            }
        }
        None
    };
    bare.match_indices("fn ").filter_map(function).collect()
}

/// The same code with blanks in place of comments, strings and characters, so that each brace is one of the code. Lines
/// stay where they are.
fn bare(code: &str) -> String {
    let mut bare = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = quiet(rest) {
            let (text, after) = rest.split_at(length);
            bare.extend(text.chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = after;
        } else {
            bare.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    bare
}

/// How long the comment, string or character is with which the code begins, if it does.
fn quiet(code: &str) -> Option<usize> {
    let past = |from: usize, end: &str| {
        let found = code[from..].find(end).map(|at| from + at + end.len());
        Some(found.unwrap_or(code.len()))
    };
    if code.starts_with("//") {
        return Some(code.find('\n').unwrap_or(code.len()));
    }
    if code.starts_with("/*") {
        return past(2, "*/");
    }
    if let Some(raw) = code.strip_prefix('r') {
        let text = raw.trim_start_matches('#');
        let hashes = &raw[..raw.len() - text.len()];
        if text.starts_with('"') {
            return past(1 + hashes.len() + 1, &format!("\"{hashes}"));
        }
    }
    if code.starts_with('"') {
        let mut letters = code.char_indices().skip(1);
        while let Some((at, c)) = letters.next() {
            match c {
                '"' => return Some(at + 1),
                '\\' => drop(letters.next()),
                _ => {}
            }
        }
    }
    if code.starts_with("'\\") {
        return past(3, "'");
    }
    // `'a'`, and not a lifetime.
    let mut letters = code.strip_prefix('\'')?.chars();
    let letter = letters.next()?;
    (letters.next() == Some('\'')).then(|| 2 + letter.len_utf8())
}

#[test]
fn a_function_ends_where_its_brace_closes() {
    let code = "fn a() {\n  // }\n  '}'; '\\''; \"}\\\"\";\n  r#\"}\"#\n}\ntrait T { fn b(&self) -> [u8; 2]; }\n\
                impl<'a> X<'a> { fn c<F: Fn(u8)>(f: fn(u8)) -> u8 where F: 'a {\n if x { y }\n} }";
    let found = bare(code);
    assert_eq!(functions(&found), [("a", 5), ("c", 3)]);
}

#[test]
fn imports_are_read_as_the_compiler_reads_them() {
    let file = File {
        path: PathBuf::new(),
        module: vec!["stages".into(), "cache".into(), "way".into()],
        code: without_comments(
            "use crate::a::{b, c::{D, e}};\nuse super::flight::Landing; // crate::no\nlet x = crate::f::g();\nuse super::{h, i::J};",
        ),
    };
    let found: Vec<(String, usize)> = imports(&file)
        .into_iter()
        .map(|import| (import.module.join("::"), import.line))
        .collect();
    let want = [
        ("a::b", 1),
        ("a::c::D", 1),
        ("a::c::e", 1),
        ("f::g", 3),
        ("stages::cache::flight::Landing", 2),
        ("stages::cache::h", 4),
        ("stages::cache::i::J", 4),
    ];
    let want: Vec<(String, usize)> = want.map(|(path, line)| (path.to_owned(), line)).into();
    assert_eq!(found, want);
}
