"""What is measured: bodies, and models of other libraries for them."""
