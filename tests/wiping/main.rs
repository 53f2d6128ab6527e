//! What the public functions leave behind when they return: no secret, in no form, in vector
//! registers or on the stack.
//!
//! Each runs on a stack of its own. It may leave addresses and the like in the frames between the
//! test and the library, at the end of the stack; below, all that was used must have been wiped.

#![cfg(all(target_arch = "x86_64", unix))]

mod draws;
mod drbg;
#[path = "../common/drbg_states.rs"]
mod drbg_states;
#[path = "../../src/arch/wipe/dump.rs"]
#[allow(dead_code)]
mod dump;
mod secrets;
mod sm2;
mod sm3;
mod sm4;

use std::hint::black_box;

use dump::{Dump, after};
use secrets::Secrets;

/// How much of the stack the frames of the test and of the public function itself may take.
const OWN_FRAMES: usize = 1024;

/// What the functions that were checked have left behind.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    /// Runs `f` and looks for `secrets`. The result is not dropped, so that nothing runs after `f`.
    fn check<T>(&mut self, name: &str, secrets: &Secrets, f: impl Fn() -> T) {
        self.check_below(0, name, secrets, f);
    }

    /// As `check`, where the result has secrets in it, and not on the heap: the caller's frames are
    /// left out, since it moves the result through them.
    fn check_result<T>(&mut self, name: &str, secrets: &Secrets, f: impl Fn() -> T) {
        self.check_below(OWN_FRAMES, name, secrets, f);
    }

    fn check_below<T>(&mut self, end: usize, name: &str, secrets: &Secrets, f: impl Fn() -> T) {
        // What is set up once for all is not what is looked for.
        drop(f());
        let dump = after(|| std::mem::forget(black_box(f())));
        self.judge(end, name, secrets, &dump);
    }

    /// Looks for `secrets` in what a function has left behind.
    fn judge(&mut self, end: usize, name: &str, secrets: &Secrets, dump: &Dump) {
        for found in secrets.find(&dump.stack()[..dump.stack().len() - end]) {
            self.0.push(format!("{name}: {found} on the stack"));
        }
        for found in secrets.find(dump.vectors.as_flattened()) {
            self.0.push(format!("{name}: {found} in vector registers"));
        }
        if !dump.vector_registers_are_wiped() {
            self.0
                .push(format!("{name}: vector registers are not wiped"));
        }
        let depth = dump.dirty_depth();
        if depth > OWN_FRAMES {
            self.0.push(format!("{name}: not wiped down to {depth}"));
        }
    }

    fn assert_nothing(&self) {
        assert!(self.0.is_empty(), "left behind:\n{}", self.0.join("\n"));
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// The control: a function that leaves its key on the stack and in a register is found out.
#[test]
fn a_leaky_function_is_found() {
    #[inline(never)]
    fn leaky(key: &[u8; 16]) {
        let mut room = [0u8; 4096];
        room[8..24].copy_from_slice(black_box(key));
        black_box(&mut room);
        // SAFETY: 16 bytes are read, and every processor has SSE.
        unsafe {
            std::arch::asm!("movups xmm9, [{}]", in(reg) key, out("xmm9") _, options(readonly));
        }
    }

    let key = random();
    let mut found = Found::default();
    found.check("leaky", &Secrets::sm4_key(&key), || leaky(&key));
    let found = found.0.join("\n");
    assert!(found.contains("leaky: SM4 key on the stack"), "{found}");
    assert!(
        found.contains("leaky: SM4 key in vector registers"),
        "{found}"
    );
    assert!(
        found.contains("leaky: vector registers are not wiped"),
        "{found}"
    );
    assert!(found.contains("leaky: not wiped down to 4"), "{found}");
}
