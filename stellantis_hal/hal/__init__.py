"""HAL documents and HTTP syntax as pure values, without I/O."""
