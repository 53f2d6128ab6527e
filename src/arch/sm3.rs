//! Chooses the SM3 kernel.
