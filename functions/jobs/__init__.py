"""Long work in resumable steps."""
