//! The lab's portal: shop, phone and ATM side by side, with the live trace.
