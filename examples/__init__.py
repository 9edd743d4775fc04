"""Small applications written with RustyRay, each with the tests its author would keep."""
