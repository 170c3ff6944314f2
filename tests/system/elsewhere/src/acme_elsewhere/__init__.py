"""Makes every step's attempts in another interpreter."""
