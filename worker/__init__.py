"""One upload in, one deployed function out."""
