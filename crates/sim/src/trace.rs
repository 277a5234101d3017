//! The live trace: a tap that keeps the last facts and streams new ones.
