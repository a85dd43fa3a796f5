-- What a business told its assistant: files and their chunks with embeddings. The search is exact within one tenant: an
-- approximate index over all tenants would filter after ranking and miss a small tenant's passages.
-- Volumes: 200 chunks a tenant, 2 million in all; the search is always within one tenant.

create table public.knowledge_files (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  name text not null check (char_length(name) between 1 and 200),
  media_type text not null check (char_length(media_type) <= 100),
  bytes integer not null check (bytes between 1 and 10485760),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  object_key text not null check (char_length(object_key) <= 400),
  created_at timestamptz not null default now(),
  unique (tenant_id, id),
  -- The same name uploaded again replaces what was there.
  unique (tenant_id, name)
);
comment on table public.knowledge_files is 'tenant=tenant_id personal=no export=owner erase=with-tenant keep=while-customer';

create table public.knowledge_chunks (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  file_id uuid not null,
  position integer not null check (position >= 0),
  body text not null check (char_length(body) between 1 and 4000),
  embedding extensions.vector(512) not null,
  unique (tenant_id, file_id, position),
  foreign key (tenant_id, file_id) references public.knowledge_files (tenant_id, id) on delete cascade
);
comment on table public.knowledge_chunks is 'tenant=tenant_id personal=no export=owner erase=with-tenant keep=while-customer';

do $$
declare
  v_table text;
begin
  foreach v_table in array array['knowledge_files', 'knowledge_chunks'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('create policy service_tenant on public.%I for select to portero_service '
      'using (tenant_id = (select private.tenant()))', v_table);
    execute format('create policy member_reads on public.%I for select to authenticated '
      'using (tenant_id in (select private.my_tenants()))', v_table);
    execute format('create policy member_adds on public.%I for insert to authenticated '
      'with check (tenant_id in (select private.my_tenants()))', v_table);
    execute format('create policy member_removes on public.%I for delete to authenticated '
      'using (tenant_id in (select private.my_tenants()))', v_table);
    execute format('grant select, insert, delete on public.%I to authenticated', v_table);
    execute format('grant select on public.%I to portero_service', v_table);
  end loop;
end $$;

-- One upload in one transaction, as the user: row level security decides, not this function.
create function public.replace_knowledge(
  p_tenant uuid, p_name text, p_media_type text, p_bytes integer, p_sha256 text, p_object_key text, p_chunks jsonb)
returns uuid
language plpgsql security invoker
set search_path = ''
as $$
declare
  v_file uuid;
begin
  delete from public.knowledge_files f where f.tenant_id = p_tenant and f.name = p_name;
  insert into public.knowledge_files (tenant_id, name, media_type, bytes, sha256, object_key)
    values (p_tenant, p_name, p_media_type, p_bytes, p_sha256, p_object_key) returning id into v_file;
  insert into public.knowledge_chunks (tenant_id, file_id, position, body, embedding)
    select p_tenant, v_file, c.place - 1, c.chunk ->> 'body', (c.chunk ->> 'embedding')::extensions.vector
    from jsonb_array_elements(p_chunks) with ordinality as c (chunk, place);
  return v_file;
end $$;
grant execute on function public.replace_knowledge(uuid, text, text, integer, text, text, jsonb) to authenticated;

-- The nearest passages of one tenant. Invoker's rights: a member searches under row level security.
create function public.search_knowledge(p_tenant uuid, p_embedding extensions.vector, p_limit integer)
returns table (body text, source text, distance double precision)
language sql stable security invoker
set search_path = ''
as $$
  with nearest as (
    select c.body, c.file_id, c.embedding operator(extensions.<=>) p_embedding as distance
    from public.knowledge_chunks c where c.tenant_id = p_tenant
    order by distance limit least(greatest(p_limit, 1), 20)
  )
  select n.body, f.name, n.distance from nearest n
  join public.knowledge_files f on f.tenant_id = p_tenant and f.id = n.file_id
  order by n.distance
$$;
grant execute on function public.search_knowledge(uuid, extensions.vector, integer) to authenticated, portero_service;

-- The same search for a turn: the server's key, one tenant.
create function public.search_knowledge_for_turn(p_tenant uuid, p_embedding extensions.vector, p_limit integer)
returns table (body text, source text, distance double precision)
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return query select * from public.search_knowledge(p_tenant, p_embedding, p_limit);
end $$;
grant execute on function public.search_knowledge_for_turn(uuid, extensions.vector, integer) to service_role;

grant create on schema public to portero_service;
alter function public.search_knowledge_for_turn(uuid, extensions.vector, integer) owner to portero_service;
revoke create on schema public from portero_service;
