//! State codes: the numbers every room reports with.
