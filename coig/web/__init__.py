"""What all pages of coig share: database, signed links, the app's safety, languages."""
