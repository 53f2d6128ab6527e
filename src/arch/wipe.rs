//! Wiping what a kernel leaves behind: vector registers, and the part of the stack that it used.
