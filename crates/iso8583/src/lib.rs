//! ISO 8583:1987 bytes to message and back, by layouts that are data
