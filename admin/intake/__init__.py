"""Tables that offices hand in and take away, and the sample province made of such tables."""
