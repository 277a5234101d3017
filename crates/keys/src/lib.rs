//! Everything done under a key: one port, a soft implementation, PIN blocks
