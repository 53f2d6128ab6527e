//! shangmi
