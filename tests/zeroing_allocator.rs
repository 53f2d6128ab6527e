//! With an allocator that wipes what is freed, as docs/deployment.md advises, not even rustls's own
//! moves leave a traffic secret behind.

mod common;
#[path = "zeroing/connections.rs"]
mod connections;
#[path = "zeroing/heap.rs"]
#[allow(dead_code)]
mod heap;

use connections::{CLIENT_D, SERVER_D, Secrets, assert_keys_gone, connections};
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<heap::Recorder> = ZeroAlloc(heap::Recorder);

#[test]
fn connections_free_no_traffic_secret() {
    let log = Secrets::new();
    let freed = connections(&log);
    freed.assert_without("server's private key", &SERVER_D);
    freed.assert_without("client's private key", &CLIENT_D);
    let secrets = log.0.lock().unwrap();
    assert!(
        secrets.len() >= 20,
        "only {} secrets were logged",
        secrets.len()
    );
    for (label, secret) in secrets.iter() {
        freed.assert_without(label, secret);
        assert_keys_gone(&freed, label, secret);
    }
}
