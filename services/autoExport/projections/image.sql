-- key: digest, generation
-- Images that were registered.
create table image (
  digest text not null,
  generation smallint not null,
  owner text not null,
  size_bytes numeric(78,0) not null,
  chunk_root text not null,
  reference text not null
);

-- on ImageRegistered
select digest, generation, block_number, log_index, jsonb_build_object(
  'owner', owner, 'size_bytes', size_bytes, 'chunk_root', chunk_root, 'reference', ref) as patch
from event
