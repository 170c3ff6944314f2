"""`python -m pamola_tasks`."""

from pamola_tasks.cli import main

if __name__ == "__main__":
    main()
