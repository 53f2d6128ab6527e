//! Chooses the SM4 kernel.
