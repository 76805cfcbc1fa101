//! What is told of the kernel half's books.
