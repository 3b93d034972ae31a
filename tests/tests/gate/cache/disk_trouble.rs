//! Disks that are full, broken, taken or open to others: memory has to do, and whoever runs the gateway is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::origin::Origin;
use portcullis_tests::wait;

use super::disk::{Store, disk_until, lasting, toml};
use super::is_stored;

const UP: &str = "portcullis_cache_disk_up";

/// Serves and stores, in memory at least.
async fn serves(gateway: &Gateway, target: &str) {
    for stored in [false, true] {
        let answer = gateway.get(target, &[]).await;
        assert_eq!((answer.status, is_stored(&answer)), (200, stored));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_may_enter_is_refused() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    fs::create_dir(store.folder()).expect("the temporary directory is writable");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(store.folder(), open).expect("it is ours");
    let setup = Setup::new(&(store.cache("") + &toml(&origin)));
    for command in ["check", "run"] {
        let said = setup.say(command);
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(2), "{command}: {text}");
        for part in ["others may enter it", "chmod 700", "disk = { folder = "] {
            assert!(text.contains(part), "{command} does not say {part}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_made_leaves_memory() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    fs::write(store.folder(), "a file").expect("the temporary directory is writable");
    let setup = Setup::new(&(store.cache("") + &toml(&origin)));
    let checked = setup.check();
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{checked:?}");
    assert!(
        text.contains("the cache would be in memory only: cannot keep responses in"),
        "{text}"
    );
    let gateway = setup.start().await;
    gateway
        .says("the cache is in memory only, until a restart: cannot keep responses in")
        .await;
    serves(&gateway, "/").await;
    let disk = disk_until(&gateway, |disk| disk["state"] == "down").await;
    let why = disk["why"].as_str().unwrap_or_default();
    assert!(why.contains("File exists"), "{disk}");
    assert_eq!(gateway.metric(UP).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_do_not_write_to_one_folder() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    let first = store.gateway(&toml(&origin)).await;
    serves(&first, "/").await;
    let second = Setup::new(&(store.cache("") + &toml(&origin)))
        .start()
        .await;
    second.says("another gateway uses it").await;
    serves(&second, "/").await;
    // Looking at the file is not using it.
    let checked = first.command("check").expect("it runs");
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!text.contains("memory only"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_costs_no_answer_and_is_used_again_when_it_works() {
    let (origin, store) = (Origin::saying(lasting).await, Store::new());
    let gateway = store.gateway(&toml(&origin)).await;
    serves(&gateway, "/before").await;
    disk_until(&gateway, |disk| disk["written"] == 1).await;
    // As a disk that is gone.
    let aside = store.folder().with_extension("aside");
    fs::rename(store.folder(), &aside).expect("it is ours");
    fs::write(store.folder(), "a file").expect("the temporary directory is writable");
    for number in 0..50 {
        serves(&gateway, &format!("/{number}")).await;
    }
    gateway
        .says("the cache is in memory only, until its disk tier works again: cannot write in")
        .await;
    let disk = disk_until(&gateway, |disk| disk["state"] == "failing").await;
    assert_ne!(disk["write_failed"], 0, "{disk}");
    assert_ne!(disk["dropped"], 0, "not each of them is tried: {disk}");
    assert_eq!(gateway.metric(UP).await, Some(0));
    let told = gateway.stderr().matches("in memory only").count();
    assert_eq!(told, 1, "told once:\n{}", gateway.stderr());

    fs::remove_file(store.folder()).expect("it is ours");
    fs::rename(&aside, store.folder()).expect("it is ours");
    let mut number = 50;
    wait::until("a disk tier that is up again", async || {
        serves(&gateway, &format!("/{number}")).await;
        number += 1;
        gateway.metric(UP).await == Some(1)
    })
    .await;
    gateway.says("the disk tier of the cache works again").await;
}
