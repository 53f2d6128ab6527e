//! Runs a function on a stack of its own, and shows what it left there and in the registers.
//!
//! For tests: `tests/wiping.rs` takes it in as well.

use std::arch::asm;

/// Size of the stack, which is more than any function here needs.
const STACK: usize = 1 << 20;

/// What the stack is filled with: neither zero nor likely in a run of eight.
const UNTOUCHED: u8 = 0xa5;

/// What was there right after a function had returned.
pub(crate) struct Dump {
    /// The stack, all of it dead.
    stack: Vec<u8>,
    /// zmm0 to zmm31, as far as the processor has them; what it lacks is zero.
    pub(crate) vectors: [[u8; 64]; 32],
    /// k0 to k7.
    pub(crate) masks: [u64; 8],
}

/// What [`call`] works on; the assembler code knows the order.
#[repr(C, align(64))]
struct Registers {
    vectors: [[u8; 64]; 32],
    masks: [u64; 8],
    /// 0 with SSE only, 1 with AVX, 2 with AVX-512.
    level: u64,
}

impl Dump {
    /// The stack; the function's frames begin at its end.
    pub(crate) fn stack(&self) -> &[u8] {
        &self.stack
    }

    /// Whether the vector registers are zero, but for the 128 bits of xmm0 to xmm7, through which
    /// the caller may have moved a result on.
    pub(crate) fn vector_registers_are_wiped(&self) -> bool {
        let (first, others) = self.vectors.split_at(8);
        let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        first.iter().all(|it| zero(&it[16..]))
            && zero(others.as_flattened())
            && self.masks == [0; 8]
    }

    /// How far down the stack there is anything that is neither untouched nor wiped.
    pub(crate) fn dirty_depth(&self) -> usize {
        let dirty = |byte: &u8| *byte != UNTOUCHED && *byte != 0;
        let lowest = self.stack.iter().position(dirty);
        lowest.map_or(0, |lowest| STACK - lowest)
    }
}

/// Calls `f` on a stack of its own. What it returns has to be put elsewhere by `f` itself.
pub(crate) fn after(f: impl FnOnce()) -> Dump {
    // What is detected first is looked up in files, by code that needs registers and stack.
    let level = match () {
        () if is_x86_feature_detected!("avx512f") => 2,
        () if is_x86_feature_detected!("avx") => 1,
        () => 0,
    };
    let mut registers = Box::new(Registers {
        vectors: [[0; 64]; 32],
        masks: [0; 8],
        level,
    });
    let mut stack = vec![UNTOUCHED; STACK];
    let mut f = Some(f);
    // SAFETY: the function gets what it takes, and does not unwind.
    unsafe {
        call(
            &mut stack,
            trampoline(&f),
            (&raw mut f).cast(),
            &mut registers,
        )
    };
    Dump {
        stack,
        vectors: registers.vectors,
        masks: registers.masks,
    }
}

/// The function that runs an `F`, given a pointer to `Some` of it. A panic ends the process.
fn trampoline<F: FnOnce()>(_: &Option<F>) -> unsafe extern "sysv64" fn(*mut ()) {
    unsafe extern "sysv64" fn run<F: FnOnce()>(f: *mut ()) {
        // SAFETY: the caller gives a pointer to an Option<F> that nothing else refers to.
        if let Some(f) = unsafe { &mut *f.cast::<Option<F>>() }.take() {
            f();
        }
    }
    run::<F>
}

macro_rules! call_and_dump {
    ($($n:literal)*; $($low:literal)*; $($mask:literal)*; $($operands:tt)*) => {
        asm!(
            "mov r12, rsp",
            "mov rsp, r13",
            "call r14",
            "cmp qword ptr [r15 + 2112], 1",
            "ja 4f",
            "je 3f",
            $(concat!("movups [r15 + 64*", $low, "], xmm", $low),)*
            "jmp 5f",
            "3:",
            $(concat!("vmovups [r15 + 64*", $low, "], ymm", $low),)*
            "jmp 5f",
            "4:",
            $(concat!("vmovups [r15 + 64*", $n, "], zmm", $n),)*
            $(concat!("kmovw eax, k", $mask), concat!("mov [r15 + 2048 + 8*", $mask, "], rax"),)*
            "5:",
            "mov rsp, r12",
            $($operands)*
        )
    };
}

/// Calls `f(argument)` on `stack` and dumps the registers.
///
/// # Safety
/// `f` may be called with `argument`, and does not unwind.
unsafe fn call(
    stack: &mut [u8],
    f: unsafe extern "sysv64" fn(*mut ()),
    argument: *mut (),
    registers: &mut Registers,
) {
    const { assert!(std::mem::offset_of!(Registers, level) == 2112) };
    const { assert!(std::mem::offset_of!(Registers, masks) == 2048) };
    // SAFETY: the end of a range is not dereferenced. A stack is aligned to 16 bytes.
    let top = stack.as_mut_ptr_range().end;
    let top = top.wrapping_sub(top.addr() % 16);
    // SAFETY: `stack` is the function's alone, rsp is put back, the registers that the processor has
    // are written to `registers`, and what a call may overwrite is declared.
    unsafe {
        call_and_dump!(
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31;
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15;
            0 1 2 3 4 5 6 7;
            in("rdi") argument,
            out("r12") _,
            in("r13") top,
            in("r14") f,
            in("r15") &raw mut *registers,
            clobber_abi("sysv64"),
        );
    }
}
