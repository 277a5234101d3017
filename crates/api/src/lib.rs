//! The words services say to each other, and the doors they meet through.

pub mod net;
pub mod tap;
