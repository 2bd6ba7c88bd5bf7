"""What people ask of a pipeline and its apps, as data: commands print it, the console shows it. Nothing here prints."""
