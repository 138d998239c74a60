//! Tests of the whole crate through its public functions: each refusal beside the same response without the defect.

mod accepts;
mod attacks;
mod decrypts;
mod differential;
mod kit;
mod limits;
mod logouts;
mod oaep;
mod refuses;
mod requests;
mod seeds;
mod setup;
mod suite;
mod words;
mod xmlsec1;
