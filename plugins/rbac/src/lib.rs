//! Authorizer: roles to permissions
