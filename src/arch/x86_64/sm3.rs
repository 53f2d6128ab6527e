//! SM3's compression function: scalar rounds (BMI1, BMI2) beside a message expansion in 128-bit
//! vectors (AVX), in assembly.
//!
//! The rounds are one chain of dependent instructions: from one E to the next it has seven (six in
//! the first 16 rounds), which makes 432 cycles a block or 6.75 a byte. A round needs 23 arithmetic
//! instructions (21), six of them rotations, and its speed depends on their order, which was found
//! by timing on a Xeon with AVX-512. The chain could be six everywhere (GG from both halves of the
//! exclusive or that E is), for three instructions more a late round; that was slower there.
//! W_j and W'_j = W_j ^ W_(j+4) are operands from memory, and T_j is part of an address
//! computation. The expansion runs eight rounds ahead.
//!
//! Assembly, because the compiler puts the sums and the vector instructions in an order of its own:
//! the same steps in intrinsics are a quarter slower.

use std::arch::naked_asm;

use super::super::cpu::{Avx, Bmi2};

/// Absorbs `blocks` into `state`.
pub(crate) fn compress(_: Bmi2, _: Avx, state: &mut [u32; 8], blocks: &[[u8; 64]]) {
    if blocks.is_empty() {
        return;
    }
    let blocks = blocks.as_ptr_range();
    // SAFETY: the tokens prove that the processor has BMI1, BMI2 and AVX. `state` is 32 bytes to
    // read and write, and from start to end there are whole blocks to read, at least one.
    unsafe { compress_blocks(state, blocks.start, blocks.end) }
}

/// A vector constant.
#[repr(align(16))]
struct Shuffle(#[expect(dead_code, reason = "read in assembly")] [u8; 16]);

/// Reverses the bytes of each word: the message is big-endian.
static BIG_ENDIAN: Shuffle = Shuffle([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);

/// Rotates each word left by 8.
static ROTATE_8: Shuffle = Shuffle([3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14]);

/// Gives zeros in the lower half, and word 0 twice in the upper.
static DOUBLE_0: Shuffle = Shuffle([
    255, 255, 255, 255, 255, 255, 255, 255, 0, 1, 2, 3, 0, 1, 2, 3,
]);

/// T_j <<< j for the assembler to compute, as a displacement, which is a signed number.
macro_rules! t {
    (early $j:literal) => {
        t!("0x79cc4519", $j)
    };
    (late $j:literal) => {
        t!("0x7a879d8a", $j)
    };
    ($t:literal, $j:literal) => {
        concat!(
            "((((",
            $t,
            " << (",
            $j,
            " & 31)) | (",
            $t,
            " >> (32 - (",
            $j,
            " & 31))))",
            " & 0xffffffff) ^ 0x80000000) - 0x80000000"
        )
    };
}

/// Round j (GB/T 32905-2016, 5.3.3), with eight vector instructions or fewer strewn in.
///
/// The registers have the standard's names; `z` and `y` are free for B <<< 9 and F <<< 19. In the
/// end `d` is the next A, `h` the next E, and `b` and `f` are free. r15 is A <<< 12 and then SS2,
/// rbp is SS1.
///
/// The early rounds add E and T_j one by one: an address with three parts takes AMD's processors
/// two cycles. The late rounds have these, since GG takes as long, and save an instruction.
///
/// In the late rounds FF = (A & (B ^ C)) + (B & C), for the terms have no bit in common; the second
/// is C & ~(B ^ C), and is added before A is known. GG = ((F ^ G) & E) ^ G.
#[rustfmt::skip]
macro_rules! round {
    (
        early $j:literal
        [$a:literal $d:literal $c:literal $b:literal $z:literal]
        [$e:literal $h:literal $g:literal $f:literal $y:literal]
        $v0:expr, $v1:expr, $v2:expr, $v3:expr, $v4:expr, $v5:expr, $v6:expr, $v7:expr
    ) => {
        concat!(
            "rorx r15d, ", $a, ", 20\n",
            $v0,
            "rorx ", $z, ", ", $b, ", 23\n",
            "lea ebp, [r15 + ", t!(early $j), "]\n",
            "xor ", $b, ", ", $c, "\n",
            "rorx ", $y, "d, ", $f, "d, 13\n",
            "xor ", $f, "d, ", $g, "d\n",
            "add ", $h, "d, [rsp + 4*(", $j, " & 15)]\n",                   // H + W_j
            "add ebp, ", $e, "d\n",
            "xor ", $f, "d, ", $e, "d\n",                                   // GG
            $v1,
            "add ", $h, "d, ", $f, "d\n",
            "rorx ebp, ebp, 25\n",                                          // SS1
            "xor r15d, ebp\n",                                              // SS2
            "add ", $h, "d, ebp\n",                                         // TT2
            "rorx ", $f, "d, ", $h, "d, 23\n",
            "add ", $d, ", [rsp + 64 + 4*(", $j, " & 15)]\n",               // D + W'_j
            "xor ", $b, ", ", $a, "\n",                                     // FF
            $v2,
            $v3,
            "rorx r14d, ", $h, "d, 15\n",
            $v4,
            $v5,
            "add ", $d, ", ", $b, "\n",
            $v6,
            "add ", $d, ", r15d\n",                                         // TT1
            "xor ", $h, "d, ", $f, "d\n",
            $v7,
            "xor ", $h, "d, r14d\n",                                        // P0(TT2)
        )
    };
    (
        late $j:literal
        [$a:literal $d:literal $c:literal $b:literal $z:literal]
        [$e:literal $h:literal $g:literal $f:literal $y:literal]
        $v0:expr, $v1:expr, $v2:expr, $v3:expr, $v4:expr, $v5:expr, $v6:expr, $v7:expr
    ) => {
        concat!(
            $v0,
            "add ", $d, ", [rsp + 64 + 4*(", $j, " & 15)]\n",               // D + W'_j
            "add ", $h, "d, [rsp + 4*(", $j, " & 15)]\n",                   // H + W_j
            "rorx ", $y, "d, ", $f, "d, 13\n",
            "xor ", $f, "d, ", $g, "d\n",
            "and ", $f, "d, ", $e, "d\n",
            "xor ", $f, "d, ", $g, "d\n",                                   // GG
            "rorx r15d, ", $a, ", 20\n",
            "lea ebp, [r15 + ", $e, " + ", t!(late $j), "]\n",
            "add ", $h, "d, ", $f, "d\n",
            $v1,
            "rorx ebp, ebp, 25\n",                                          // SS1
            "add ", $h, "d, ebp\n",                                         // TT2
            "rorx ", $f, "d, ", $h, "d, 23\n",
            "rorx r14d, ", $h, "d, 15\n",
            $v2,
            $v3,
            $v4,
            "rorx ", $z, ", ", $b, ", 23\n",
            $v5,
            "xor ", $b, ", ", $c, "\n",
            "andn edi, ", $b, ", ", $c, "\n",                               // B & C
            "add ", $d, ", edi\n",
            "and ", $b, ", ", $a, "\n",                                     // A & (B ^ C)
            "add ", $d, ", ", $b, "\n",
            "xor r15d, ebp\n",                                              // SS2
            "add ", $d, ", r15d\n",                                         // TT1
            "xor ", $h, "d, ", $f, "d\n",
            $v6,
            "xor ", $h, "d, r14d\n",                                        // P0(TT2)
            $v7,
        )
    };
}

/// An instruction of the message expansion, while the rounds to come need more words.
macro_rules! v {
    (expand $($part:expr),+) => {
        concat!($($part,)+ "\n")
    };
    (expanded $($part:expr),+) => {
        ""
    };
}

/// Rounds in fours, j0 to j3, until the list ends.
///
/// With `expand`, W_(j+16) is computed from the 16 words in x0 to x3 (GB/T 32905-2016, 5.3.2). It
/// replaces x0, and W_j in the ring on the stack; W'_(j+12) goes into the ring above it.
///
/// W_(j3+16) needs W_(j0+16), which is in the making. P1 is linear: lane 3 is computed without it
/// first, and P1(W_(j0+16) <<< 15) = W <<< 15 ^ W <<< 30 ^ W <<< 38 is added last. These three are
/// one shift each of the doubled word.
#[rustfmt::skip]
macro_rules! rounds {
    ($abcd:tt $efgh:tt $x:tt) => { "" };
    (
        [$a:literal $d:literal $c:literal $b:literal $z:literal]
        [$e:literal $h:literal $g:literal $f:literal $y:literal]
        [$x0:literal $x1:literal $x2:literal $x3:literal]
        $phase:ident $v:ident $j0:literal $j1:literal $j2:literal $j3:literal;
        $($rest:tt)*
    ) => {
        concat!(
            round!(
                $phase $j0 [$a $d $c $b $z] [$e $h $g $f $y]
                v!($v "vpalignr xmm4, ", $x2, ", ", $x1, ", 12"),           // W_(j+7)
                v!($v "vpsrldq xmm5, ", $x3, ", 4"),                        // W_(j+13)
                v!($v "vpxor xmm4, xmm4, ", $x0),
                v!($v "vpslld xmm6, xmm5, 15"),
                v!($v "vpsrld xmm5, xmm5, 17"),
                v!($v "vpxor xmm4, xmm4, xmm6"),
                v!($v "vpxor xmm4, xmm4, xmm5"),                            // goes through P1
                v!($v "vpalignr xmm7, ", $x1, ", ", $x0, ", 12")            // W_(j+3)
            ),
            round!(
                $phase $j1 [$d $c $z $a $b] [$h $g $y $e $f]
                v!($v "vpslld xmm8, xmm7, 7"),
                v!($v "vpsrld xmm7, xmm7, 25"),
                v!($v "vpxor xmm7, xmm7, xmm8"),
                v!($v "vpalignr xmm8, ", $x3, ", ", $x2, ", 8"),            // W_(j+10)
                v!($v "vpxor xmm7, xmm7, xmm8"),
                v!($v "vpslld xmm5, xmm4, 15"),
                v!($v "vpsrld xmm6, xmm4, 17"),
                v!($v "vpxor xmm5, xmm5, xmm6")                             // <<< 15
            ),
            round!(
                $phase $j2 [$c $z $b $d $a] [$g $y $f $h $e]
                v!($v "vpxor xmm7, xmm7, xmm4"),
                v!($v "vpshufb xmm6, xmm5, xmm9"),                          // <<< 23
                v!($v "vpxor xmm7, xmm7, xmm5"),
                v!($v "vpxor xmm7, xmm7, xmm6"),
                v!($v "vpshufb xmm4, xmm7, xmm10"),                         // W_(j0+16) twice
                v!($v "vpsrlq xmm5, xmm4, 17"),
                v!($v "vpsrlq xmm6, xmm4, 2"),
                v!($v "vpsrlq xmm4, xmm4, 26")
            ),
            round!(
                $phase $j3 [$z $b $a $c $d] [$y $f $e $g $h]
                v!($v "vpxor xmm5, xmm5, xmm6"),
                v!($v "vpxor xmm5, xmm5, xmm4"),
                v!($v "vpslldq xmm5, xmm5, 4"),
                v!($v "vpxor ", $x0, ", xmm7, xmm5"),
                v!($v "vmovdqa [rsp + 4*(", $j0, " & 15)], ", $x0),
                v!($v "vpxor xmm6, ", $x0, ", ", $x3),
                v!($v "vmovdqa [rsp + 64 + 4*((", $j0, " + 12) & 15)], xmm6"),
                ""
            ),
            rounds!([$b $a $d $z $c] [$f $e $h $y $g] [$x1 $x2 $x3 $x0] $($rest)*)
        )
    };
}

/// Absorbs the blocks up to `end`. On the stack: the rings of W and W', `state`, and `end`.
///
/// It has no unwind tables (CFI): it calls nothing and cannot panic, so nothing unwinds through it;
/// only a profiler that samples stacks loses its caller.
///
/// # Safety
/// The processor has BMI1, BMI2 and AVX; from `blocks` to `end` there are whole blocks, not none.
#[unsafe(naked)]
unsafe extern "sysv64" fn compress_blocks(
    state: *mut [u32; 8],
    blocks: *const [u8; 64],
    end: *const [u8; 64],
) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 152",
        "mov [rsp + 128], rdi",
        "mov [rsp + 136], rdx",
        "mov r13, rsi",
        "vmovdqa xmm9, [rip + {rotate_8}]",
        "vmovdqa xmm10, [rip + {double_0}]",
        "vmovdqa xmm11, [rip + {big_endian}]",
        "mov eax, [rdi]",
        "mov edx, [rdi + 4]",
        "mov ecx, [rdi + 8]",
        "mov ebx, [rdi + 12]",
        "mov r8d, [rdi + 16]",
        "mov r11d, [rdi + 20]",
        "mov r10d, [rdi + 24]",
        "mov r9d, [rdi + 28]",
        // For each block: W_0 to W_15, and W'_0 to W'_11.
        "2:",
        "vmovdqu xmm0, [r13]",
        "vmovdqu xmm1, [r13 + 16]",
        "vmovdqu xmm2, [r13 + 32]",
        "vmovdqu xmm3, [r13 + 48]",
        "vpshufb xmm0, xmm0, xmm11",
        "vpshufb xmm1, xmm1, xmm11",
        "vpshufb xmm2, xmm2, xmm11",
        "vpshufb xmm3, xmm3, xmm11",
        "vmovdqa [rsp], xmm0",
        "vmovdqa [rsp + 16], xmm1",
        "vmovdqa [rsp + 32], xmm2",
        "vmovdqa [rsp + 48], xmm3",
        "vpxor xmm4, xmm0, xmm1",
        "vpxor xmm5, xmm1, xmm2",
        "vpxor xmm6, xmm2, xmm3",
        "vmovdqa [rsp + 64], xmm4",
        "vmovdqa [rsp + 80], xmm5",
        "vmovdqa [rsp + 96], xmm6",
        rounds!(
            ["eax" "ebx" "ecx" "edx" "esi"]
            ["r8" "r9" "r10" "r11" "r12"]
            ["xmm0" "xmm1" "xmm2" "xmm3"]
            early expand 0 1 2 3;
            early expand 4 5 6 7;
            early expand 8 9 10 11;
            early expand 12 13 14 15;
            late expand 16 17 18 19;
            late expand 20 21 22 23;
            late expand 24 25 26 27;
            late expand 28 29 30 31;
            late expand 32 33 34 35;
            late expand 36 37 38 39;
            late expand 40 41 42 43;
            late expand 44 45 46 47;
            late expand 48 49 50 51;
            late expanded 52 53 54 55;
            late expanded 56 57 58 59;
            late expanded 60 61 62 63;
        ),
        // The roles have moved on: A to H are in edx, esi, ebx, eax, r11, r12, r9, r8. Adding the
        // old state takes them back.
        "mov rdi, [rsp + 128]",
        "mov ecx, [rdi + 8]",
        "xor ecx, ebx",
        "mov ebx, [rdi + 12]",
        "xor ebx, eax",
        "mov eax, [rdi]",
        "xor eax, edx",
        "mov edx, [rdi + 4]",
        "xor edx, esi",
        "mov r10d, [rdi + 24]",
        "xor r10d, r9d",
        "mov r9d, [rdi + 28]",
        "xor r9d, r8d",
        "mov r8d, [rdi + 16]",
        "xor r8d, r11d",
        "mov r11d, [rdi + 20]",
        "xor r11d, r12d",
        "mov [rdi], eax",
        "mov [rdi + 4], edx",
        "mov [rdi + 8], ecx",
        "mov [rdi + 12], ebx",
        "mov [rdi + 16], r8d",
        "mov [rdi + 20], r11d",
        "mov [rdi + 24], r10d",
        "mov [rdi + 28], r9d",
        "add r13, 64",
        "cmp r13, [rsp + 136]",
        "jne 2b",
        // What is hashed may be secret: nothing of it stays on the stack or in registers.
        "vpxor xmm0, xmm0, xmm0",
        "vmovdqa [rsp], xmm0",
        "vmovdqa [rsp + 16], xmm0",
        "vmovdqa [rsp + 32], xmm0",
        "vmovdqa [rsp + 48], xmm0",
        "vmovdqa [rsp + 64], xmm0",
        "vmovdqa [rsp + 80], xmm0",
        "vmovdqa [rsp + 96], xmm0",
        "vmovdqa [rsp + 112], xmm0",
        "vpxor xmm1, xmm1, xmm1",
        "vpxor xmm2, xmm2, xmm2",
        "vpxor xmm3, xmm3, xmm3",
        "vpxor xmm4, xmm4, xmm4",
        "vpxor xmm5, xmm5, xmm5",
        "vpxor xmm6, xmm6, xmm6",
        "vpxor xmm7, xmm7, xmm7",
        "vpxor xmm8, xmm8, xmm8",
        "xor eax, eax",
        "xor ecx, ecx",
        "xor edx, edx",
        "xor esi, esi",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "xor r10d, r10d",
        "xor r11d, r11d",
        "add rsp, 152",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        rotate_8 = sym ROTATE_8,
        double_0 = sym DOUBLE_0,
        big_endian = sym BIG_ENDIAN,
    )
}
