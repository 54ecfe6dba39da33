//! What every command pays: opening a store and finding that nothing has changed.

use std::time::{Duration, Instant};

use imagewright_store::{BlobState, Store};

use crate::fixture::{NOW, Place, bytes, key, put_spliced};

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..31)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
fn opening_and_forty_lookups_are_cheap() {
    let place = Place::new();
    let store = place.open();
    for number in 0..40 {
        put_spliced(&store, &format!("layer {number}"), &bytes(number, 2000));
    }
    drop(store);
    let opening = median(|| drop(Store::open(&place.path(), NOW).unwrap()));
    let store = place.open();
    let finding = median(|| {
        for number in 0..40 {
            let layer = store.layer_by_key(&key(&format!("layer {number}"))).unwrap().unwrap();
            assert_eq!(layer.blob, BlobState::Present);
        }
    });
    let mut number = 1000;
    let putting = median(|| {
        number += 1;
        store.put_blob(&bytes(number, 2000)).unwrap();
    });
    println!("open {opening:?}, 40 layers found {finding:?}, one blob kept {putting:?}");
    assert!(opening < Duration::from_millis(5), "{opening:?}");
    assert!(finding < Duration::from_millis(30), "{finding:?}");
}
