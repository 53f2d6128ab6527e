//! The cryptographic module as its users and a laboratory see it: its state, its self tests on demand,
//! and which of its services are approved.

pub use crate::gate::{
    Approval, Error, Service, Services, State, is_strict_gm, observe, operational, set_strict_gm,
    state,
};
