"""Operations of pamola-core as steps of pamola-tasks, in an interpreter with their pins."""
