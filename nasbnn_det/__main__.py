"""``python -m nasbnn_det detect ...``, as the command ``nasbnn-det``."""
from .runtime.command import main

if __name__ == '__main__':
    main()
