//! Handsets: the simulated phones and what they received.
