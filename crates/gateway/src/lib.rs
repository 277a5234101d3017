//! The payment page and the merchant API
