//! ISO 8583 over persistent TCP: framed, pipelined, signed on, watched, reconnected
