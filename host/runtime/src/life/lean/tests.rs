//! A small component as wit-component makes it, run whole and lean.

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use super::lean;

const GUEST: &str = r#"(component
  (import "portcullis:plugin/test@0.1.0" (instance $test
    (export "now" (func (result u64)))
    (export "say" (func (param "text" string)))
    (export "tell" (func (param "text" string)))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (type $variables (list (tuple string string)))
    (export "get-environment" (func (result $variables)))))
  (core module $main
    (type $two (func (param i32 i32)))
    (import "test" "now" (func $now (result i64)))
    (import "test" "say" (func $say (type $two)))
    (import "test" "tell" (func $tell (type $two)))
    (import "environment" "get-environment" (func $environment (param i32)))
    (table 2 2 funcref)
    (elem (i32.const 1) func $own)
    (memory (export "memory") 1)
    (global $first i32 (i32.const 0))
    (global $counter (mut i32) (i32.const 5))
    (global $seen (export "seen") i32 (i32.const 3))
    (global $one i32 (i32.const 1))
    (data (i32.const 0) "ab")
    (func $own (param i32 i32) (call $tell (local.get 0) (local.get 1)))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "run") (result i32)
      (call $say (global.get $first) (global.get $one))
      (global.set $counter (i32.sub (global.get $counter) (i32.const 5)))
      (call_indirect (type $two) (i32.const 1) (i32.const 1) (i32.const 1))
      (i64.store (i32.const 16) (i64.const -1))
      (call $environment (i32.const 16))
      (drop (call $now))
      (i32.add (i32.load (i32.const 20)) (global.get $counter)))
    (func (export "cabi_post_run") (param i32)
      (call $say (i32.const 0) (i32.const 0))))
  (core module $shim
    (type $two (func (param i32 i32)))
    (type $one (func (param i32)))
    (table (export "$imports") 3 3 funcref)
    (func (export "0") (type $two)
      local.get 0 local.get 1 i32.const 0 call_indirect (type $two))
    (func (export "1") (type $two)
      local.get 0 local.get 1 i32.const 1 call_indirect (type $two))
    (func (export "2") (type $one)
      local.get 0 i32.const 2 call_indirect (type $one)))
  (core module $fixup
    (import "" "0" (func $0 (param i32 i32)))
    (import "" "1" (func $1 (param i32 i32)))
    (import "" "2" (func $2 (param i32)))
    (import "" "$imports" (table 3 3 funcref))
    (elem (i32.const 0) func $0 $1 $2))
  (core instance $s (instantiate $shim))
  (alias core export $s "0" (core func $s0))
  (alias core export $s "1" (core func $s1))
  (alias core export $s "2" (core func $s2))
  (core func $now (canon lower (func $test "now")))
  (core instance $t
    (export "now" (func $now)) (export "say" (func $s0)) (export "tell" (func $s1)))
  (core instance $e (export "get-environment" (func $s2)))
  (core instance $m (instantiate $main (with "test" (instance $t)) (with "environment" (instance $e))))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $s "$imports" (core table $table))
  (alias core export $m "cabi_realloc" (core func $realloc))
  (core func $l0 (canon lower (func $test "say") (memory $memory) string-encoding=utf8))
  (core func $l1 (canon lower (func $test "tell") (memory $memory) string-encoding=utf8))
  (core func $l2 (canon lower (func $environment "get-environment")
    (memory $memory) (realloc $realloc) string-encoding=utf8))
  (core instance $a
    (export "$imports" (table $table))
    (export "0" (func $l0)) (export "1" (func $l1)) (export "2" (func $l2)))
  (core instance $f (instantiate $fixup (with "" (instance $a))))
  (alias core export $m "run" (core func $run))
  (func $lifted (result u32) (canon lift (core func $run)))
  (export "run" (func $lifted)))"#;

fn parsed(guest: &str) -> Vec<u8> {
    wat::parse_str(guest).expect("valid")
}

/// What it asks the host for, and how many variables it says there are.
fn run(component: &[u8]) -> (Vec<String>, u32) {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, component).expect("valid");
    let mut linker = Linker::<Vec<String>>::new(&engine);
    let mut test = linker
        .instance("portcullis:plugin/test@0.1.0")
        .expect("a name");
    let defined = [
        test.func_wrap("now", |mut store, ()| {
            store.data_mut().push("now".into());
            Ok((7_u64,))
        }),
        test.func_wrap("say", |mut store, (text,): (String,)| {
            store.data_mut().push(format!("say {text}"));
            Ok(())
        }),
        test.func_wrap("tell", |mut store, (text,): (String,)| {
            store.data_mut().push(format!("tell {text}"));
            Ok(())
        }),
        linker
            .instance("wasi:cli/environment@0.2.0")
            .expect("a name")
            .func_wrap("get-environment", |mut store, ()| {
                store.data_mut().push("environment".into());
                Ok((Vec::<(String, String)>::new(),))
            }),
    ];
    for defined in defined {
        defined.expect("a new name");
    }
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component).expect("links");
    let run = instance.get_typed_func::<(), (u32,)>(&mut store, "run");
    let (variables,) = run
        .expect("its type")
        .call(&mut store, ())
        .expect("it runs");
    (store.into_data(), variables)
}

#[test]
fn a_lean_component_asks_the_host_for_the_same_but_for_what_is_empty() {
    let whole = parsed(GUEST);
    let lean = lean(&whole).expect("a shape that is known");
    let calls = |calls: &[&str]| -> Vec<String> { calls.iter().map(|&c| c.into()).collect() };
    assert_eq!(
        run(&whole),
        (calls(&["say a", "tell b", "environment", "now"]), 0)
    );
    assert_eq!(run(&lean), (calls(&["say a", "tell b", "now"]), 0));
}

#[test]
fn imports_are_followed_through_the_shim_and_not_taken_by_name() {
    for (order, whole_calls) in [
        ("func $1 $0 $2", ["tell a", "say b"]),
        ("func $0 $0 $2", ["say a", "say b"]),
    ] {
        let whole = parsed(&GUEST.replace("func $0 $1 $2", order));
        let lean = lean(&whole).expect("a shape that is known");
        assert_eq!(run(&whole).0[..2], whole_calls, "{order}");
        assert_eq!(run(&lean).0[..2], whole_calls, "{order}");
    }
    // A function that is called like one that has a stand-in, but takes something else.
    let other = GUEST
        .replace(
            "\"environment\" \"get-environment\" (func $environment (param i32))",
            "\"wasi:cli/environment@0.2.0\" \"get-environment\" (func $environment (type $two))",
        )
        .replace(
            "(call $environment (i32.const 16))",
            "(call $environment (i32.const 0) (i32.const 2))",
        )
        .replace(
            "(with \"environment\"",
            "(with \"wasi:cli/environment@0.2.0\"",
        );
    let declined = lean(&parsed(&other)).expect_err("it is left alone");
    assert_eq!(declined, "an import is not what EmptyListAt stands in for");
}

#[test]
fn a_component_of_another_shape_is_left_alone() {
    let forward = "local.get 0 local.get 1 i32.const 0 call_indirect (type $two)";
    for (from, to, why) in [
        (
            forward,
            "local.get 1 local.get 0 i32.const 0 call_indirect (type $two)",
            "its shim does more than to forward",
        ),
        (forward, "nop", "its shim does more than to forward"),
        (
            "(table (export \"$imports\") 3 3 funcref)",
            "(table (export \"$imports\") 3 3 funcref) (func $start) (start $start)",
            "its shim does more than to forward",
        ),
        (
            "(elem (i32.const 0) func $0 $1 $2)",
            "(elem (i32.const 0) func $0) (elem (i32.const 1) func $1 $2)",
            "its fixup does more than to fill a table",
        ),
        (
            "(elem (i32.const 0) func $0 $1 $2)",
            "(elem (i32.const 0) func $0 $1)",
            "its shim calls a slot that its fixup does not fill",
        ),
        (
            "(memory (export \"memory\") 1)",
            "(memory (export \"memory\") 1) (memory 1)",
            "it does not have one memory and a table",
        ),
        (
            "(core instance $f (instantiate $fixup (with \"\" (instance $a))))",
            "",
            "it is not a guest with a shim and a fixup",
        ),
    ] {
        assert!(GUEST.contains(from), "{from}");
        let component = parsed(&GUEST.replacen(from, to, 1));
        assert_eq!(lean(&component).expect_err(to), why, "{to}");
    }
    let nothing = parsed("(component)");
    assert_eq!(
        lean(&nothing).expect_err("nothing"),
        "it does not have one memory"
    );
}

#[test]
fn no_bytes_make_it_panic() {
    let component = parsed(GUEST);
    for cut in 0..component.len() {
        drop(lean(&component[..cut]));
        for value in [0, 1, 0x7f, 0xff] {
            let mut broken = component.clone();
            broken[cut] = value;
            drop(lean(&broken));
        }
    }
}
