"""The cases, a module for each subject: written as their users write programs, so without types."""
