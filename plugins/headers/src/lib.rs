//! Filter: set, add and remove headers
