//! Messages as resolvers make them, and as nobody should.
