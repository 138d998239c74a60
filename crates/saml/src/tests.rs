//! Tests of the whole crate through its public functions: each refusal beside the same response without the defect.

mod accepts;
mod attacks;
mod decrypts;
mod kit;
mod limits;
mod refuses;
mod requests;
mod setup;
mod suite;
mod words;
