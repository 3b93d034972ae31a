//! What is kept is used, and whatever else lies there is not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use wasmtime::Store;
use wasmtime::component::Linker;

use super::files::make_secret;
use super::*;

/// A component whose function answers with a number.
fn wasm(number: u8) -> Vec<u8> {
    let wat = format!(
        r#"(component
            (core module $m (func (export "f") (result i32) i32.const {number}))
            (core instance $i (instantiate $m))
            (func (export "f") (result s32) (canon lift (core func $i "f"))))"#
    );
    wat::parse_str(wat).unwrap()
}

fn engine() -> wasmtime::Engine {
    wasmtime::Engine::default()
}

/// The number that the machine code answers with.
fn runs(engine: &wasmtime::Engine, component: &Component) -> i32 {
    let mut store = Store::new(engine, ());
    let linker = Linker::new(engine);
    let instance = linker.instantiate(&mut store, component).unwrap();
    let function = instance.get_typed_func::<(), (i32,)>(&mut store, "f");
    function.unwrap().call(&mut store, ()).unwrap().0
}

/// One start of a gateway: the number that the component answers with, and where its code came from.
fn start(folder: &Path, number: u8) -> (i32, CodeSource) {
    let engine = engine();
    let cache = CodeCache::open(&engine, Some(folder)).unwrap();
    let wasm = wasm(number);
    let compile = || Component::from_binary(&engine, &wasm);
    let component = cache.component(Form::Plain, Digest::of(&wasm), compile);
    let counted = cache.counts().into_iter().filter(|(_, count)| *count == 1);
    let [(source, _)] = counted.collect::<Vec<_>>()[..] else {
        panic!("{:?}", cache.counts());
    };
    (runs(&engine, &component.unwrap()), source)
}

fn code_file(folder: &Path, number: u8) -> PathBuf {
    folder.join(format!("{}-plain{SUFFIX}", Digest::of(wasm(number))))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

#[test]
fn the_second_start_compiles_nothing() {
    let folder = folder();
    assert_eq!(start(folder.path(), 7), (7, CodeSource::Compiled));
    assert_eq!(start(folder.path(), 7), (7, CodeSource::Kept));
    assert_eq!(start(folder.path(), 8), (8, CodeSource::Compiled));
    let left = fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 3, "the key and two files of code");
}

#[test]
fn without_a_folder_nothing_is_kept() {
    let engine = engine();
    let cache = CodeCache::open(&engine, None).unwrap();
    for _ in 0..2 {
        let compile = || Component::from_binary(&engine, &wasm(7));
        cache
            .component(Form::Plain, Digest::of(wasm(7)), compile)
            .unwrap();
    }
    let compiled = cache.counts().map(|(_, count)| count);
    assert_eq!(compiled, [0, 2, 0, 0]);
}

#[test]
fn a_flipped_bit_anywhere_is_seen_and_mended() {
    let folder = folder();
    start(folder.path(), 7);
    let file = code_file(folder.path(), 7);
    let length = fs::metadata(&file).unwrap().len() as usize;
    let code = MAC + HEADER;
    for at in [
        0,
        MAC - 1,
        MAC,
        MAC + 8,
        MAC + 9,
        code - 1,
        code,
        length / 2,
        length - 1,
    ] {
        let mut content = fs::read(&file).unwrap();
        content[at] ^= 0x10;
        fs::write(&file, content).unwrap();
        let again = start(folder.path(), 7);
        assert_eq!(again, (7, CodeSource::Rejected), "byte {at}");
        assert_eq!(start(folder.path(), 7), (7, CodeSource::Kept), "byte {at}");
    }
}

#[test]
fn a_file_that_is_cut_or_longer_is_not_used() {
    let folder = folder();
    start(folder.path(), 7);
    let file = code_file(folder.path(), 7);
    let whole = fs::read(&file).unwrap();
    for length in [
        0,
        1,
        MAC - 1,
        MAC,
        MAC + HEADER - 1,
        MAC + HEADER,
        whole.len() - 1,
    ] {
        fs::write(&file, &whole[..length]).unwrap();
        let again = start(folder.path(), 7);
        assert_eq!(again, (7, CodeSource::Rejected), "{length} bytes");
    }
    fs::write(&file, [&whole[..], b"\0"].concat()).unwrap();
    assert_eq!(start(folder.path(), 7), (7, CodeSource::Rejected));
}

#[test]
fn another_installations_code_is_not_used() {
    let (ours, theirs) = (folder(), folder());
    start(ours.path(), 7);
    start(theirs.path(), 7);
    fs::copy(code_file(theirs.path(), 7), code_file(ours.path(), 7)).unwrap();
    assert_eq!(start(ours.path(), 7), (7, CodeSource::Rejected));
    fs::copy(theirs.path().join(KEY), ours.path().join(KEY)).unwrap();
    assert_eq!(start(ours.path(), 7), (7, CodeSource::Rejected));
    assert_eq!(start(ours.path(), 7), (7, CodeSource::Kept));
}

#[test]
fn code_of_another_component_is_not_used_under_this_ones_name() {
    let folder = folder();
    start(folder.path(), 7);
    start(folder.path(), 8);
    fs::copy(code_file(folder.path(), 8), code_file(folder.path(), 7)).unwrap();
    assert_eq!(start(folder.path(), 7), (7, CodeSource::Rejected));
}

#[test]
fn code_of_another_form_is_not_used() {
    let folder = folder();
    start(folder.path(), 7);
    let plain = code_file(folder.path(), 7);
    let name = format!("{}-instrumented{SUFFIX}", Digest::of(wasm(7)));
    fs::copy(plain, folder.path().join(name)).unwrap();
    let kept = CodeFolder::open(folder.path(), maker(&engine())).unwrap();
    let found = kept.find(&engine(), Form::Instrumented, Digest::of(wasm(7)));
    assert_eq!(found.err(), Some(CodeSource::Rejected));
}

#[test]
fn code_of_another_version_is_compiled_again() {
    let folder = folder();
    let engine = engine();
    let component = Component::from_binary(&engine, &wasm(7)).unwrap();
    let other = CodeFolder::open(folder.path(), [1; 32]).unwrap();
    other
        .keep(Form::Plain, Digest::of(wasm(7)), &component)
        .unwrap();
    assert_eq!(start(folder.path(), 7), (7, CodeSource::OtherVersion));
    assert_eq!(start(folder.path(), 7), (7, CodeSource::Kept));
}

#[test]
fn other_options_of_the_engine_are_another_version() {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let other = wasmtime::Engine::new(&config).unwrap();
    assert_ne!(maker(&engine()), maker(&other));
    assert_eq!(maker(&engine()), maker(&engine()));
}

#[test]
fn only_this_user_may_enter_the_folder_and_read_the_key() {
    let parent = folder();
    let made = parent.path().join("a/b");
    start(&made, 7);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let key = made.join(KEY);
    assert_eq!((mode(&made), mode(&key)), (0o700, 0o600));
    assert_eq!(mode(&code_file(&made, 7)), 0o600);
    let said = || {
        let cache = CodeCache::open(&engine(), Some(&made));
        cache.err().unwrap_or_default()
    };
    for (path, mode, want) in [
        (&key, 0o640, "others may read"),
        (&key, 0o604, "others may read"),
        (&key, 0o600, ""),
        (&made, 0o710, "others may enter it"),
        (&made, 0o700, ""),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(said().is_empty(), want.is_empty(), "{mode:o}: {}", said());
        assert!(said().contains(want), "{mode:o}: {}", said());
    }
}

#[test]
fn a_key_has_its_length_and_is_made_once() {
    let folder = folder();
    start(folder.path(), 7);
    let key = folder.path().join(KEY);
    let first = fs::read(&key).unwrap();
    start(folder.path(), 8);
    assert_eq!((fs::read(&key).unwrap(), first.len()), (first.clone(), 32));
    make_secret(&key).unwrap();
    assert_eq!(fs::read(&key).unwrap(), first, "the first one stays");
    for short in [&first[..31], b""] {
        fs::write(&key, short).unwrap();
        let said = CodeCache::open(&engine(), Some(folder.path())).err();
        assert!(said.unwrap().contains("is no key of 32 bytes"));
    }
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let folder = folder();
    for number in [7, 8, 9] {
        start(folder.path(), number);
    }
    let modified = |number: u8, seconds: u64| {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = File::open(code_file(folder.path(), number)).unwrap();
        file.set_modified(time).unwrap();
    };
    modified(7, 3);
    modified(8, 1);
    modified(9, 2);
    let kept = CodeFolder::open(folder.path(), maker(&engine())).unwrap();
    let length = fs::metadata(code_file(folder.path(), 7)).unwrap().len();
    kept.tidy(length).unwrap();
    let there = [7, 8, 9].map(|number| code_file(folder.path(), number).exists());
    assert_eq!(there, [true, false, false]);
    assert!(folder.path().join(KEY).exists());
}
