"""What compose files and quadlets declare. The only wing that reads them; it knows neither engines nor policies."""
